"""hw5: forward mode, products with Jacobians and Hessians, and checkpoints."""
