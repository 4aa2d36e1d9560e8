"""What the operator would have done: its own rules and judgement over scripted or past counts."""
