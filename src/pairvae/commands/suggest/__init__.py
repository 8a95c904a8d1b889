"""`pairvae suggest`: which samples without a partner to measure next, and why; the same as a loop of ask and tell."""

from pairvae.commands.suggest.campaign import Campaign, CampaignOptimizer

__all__ = ["Campaign", "CampaignOptimizer"]
