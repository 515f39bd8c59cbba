"""MiniMNIST: 10,000 of MNIST's training images, as four gzipped IDX files. README.md names the source."""
