"""A case in, an audited result out."""
