"""Model selection for robots: when is the slow or cloud perception model worth its cost?"""

__version__ = '0.1.0'
