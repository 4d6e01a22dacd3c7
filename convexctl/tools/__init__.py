"""Every external program: nothing else in this package starts one."""
