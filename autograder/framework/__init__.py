"""What every task is made of: its parameters, its machines, the check that looks, and the verdict."""
