"""The same block, several times."""

from apps.mlp_resnet import ResidualBlock
from needle import nn

FILE = "apps/mlp_resnet.py"


def MLPResNet(dim, hidden_dim=100, num_blocks=3, num_classes=10, norm=nn.BatchNorm1d, drop_prob=0.1):
    blocks = [ResidualBlock(hidden_dim, hidden_dim // 2, norm, drop_prob)] * num_blocks
    return nn.Sequential(nn.Linear(dim, hidden_dim), nn.ReLU(), *blocks, nn.Linear(hidden_dim, num_classes))
