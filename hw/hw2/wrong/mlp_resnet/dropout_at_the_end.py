"""Dropout stands behind the second linear layer."""

from needle import nn

FILE = "apps/mlp_resnet.py"


def ResidualBlock(dim, hidden_dim, norm=nn.BatchNorm1d, drop_prob=0.1):
    branch = nn.Sequential(
        nn.Linear(dim, hidden_dim),
        norm(hidden_dim),
        nn.ReLU(),
        nn.Linear(hidden_dim, dim),
        nn.Dropout(drop_prob),
        norm(dim),
    )
    return nn.Sequential(nn.Residual(branch), nn.ReLU())
