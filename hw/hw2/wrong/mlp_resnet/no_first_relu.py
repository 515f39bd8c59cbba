"""The ReLU behind the first layer is missing."""

from apps.mlp_resnet import ResidualBlock
from needle import nn

FILE = "apps/mlp_resnet.py"


def MLPResNet(dim, hidden_dim=100, num_blocks=3, num_classes=10, norm=nn.BatchNorm1d, drop_prob=0.1):
    blocks = [ResidualBlock(hidden_dim, hidden_dim // 2, norm, drop_prob) for _ in range(num_blocks)]
    return nn.Sequential(nn.Linear(dim, hidden_dim), *blocks, nn.Linear(hidden_dim, num_classes))
