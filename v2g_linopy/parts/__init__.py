"""Every asset, market and rule: one file or one package each; the catalogue lists them."""
