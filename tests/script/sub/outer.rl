source inner.rl; echo outer done
