//! Mean, standard deviation, t-interval, paired difference, smoothing.
