"""Which version serves, at what weight, what comes next: `decide(facts) -> Plan`, without any I/O."""
