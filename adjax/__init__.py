"""adjax: finds defects in images after learning from good images only."""
