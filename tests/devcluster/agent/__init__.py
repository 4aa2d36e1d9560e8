"""The node agent: does for pods what a kubelet does, with local processes in the place of containers.

A pod gets a network namespace and an address of its own; each of its containers is the process that its
`command` and `args` name. What a container image would bring (programs, libraries) is this machine's.
"""
