//! The rows and files that a run leaves: written by `train`, read by `report`.
