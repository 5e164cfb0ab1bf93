"""Why a risk is what it is: from the models of the folds back to images and covariates."""
