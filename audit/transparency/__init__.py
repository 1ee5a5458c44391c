"""A transparency log as a library: Merkle tree, tiles, signed notes and checkpoints. It computes on bytes only."""
