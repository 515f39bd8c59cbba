"""The second norm is missing."""

from needle import nn

FILE = "apps/mlp_resnet.py"


def ResidualBlock(dim, hidden_dim, norm=nn.BatchNorm1d, drop_prob=0.1):
    branch = nn.Sequential(
        nn.Linear(dim, hidden_dim),
        norm(hidden_dim),
        nn.ReLU(),
        nn.Dropout(drop_prob),
        nn.Linear(hidden_dim, dim),
    )
    return nn.Sequential(nn.Residual(branch), nn.ReLU())
