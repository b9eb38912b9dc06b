//! What the y axis of a panel measures.

/// A quantity that panels are found by, or whose axis has rules of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Quantity {
    LearningRate,
    Loss,
    ValLoss,
    Accuracy,
    ValAccuracy,
}

impl Quantity {
    /// The panels of a comparison, in their order.
    pub const OF_COMPARISON: [Self; 5] =
        [Self::LearningRate, Self::Loss, Self::ValLoss, Self::Accuracy, Self::ValAccuracy];

    /// The column of metrics.csv.
    pub const fn column(self) -> &'static str {
        match self {
            Self::LearningRate => "learning_rate",
            Self::Loss => "loss",
            Self::ValLoss => "val_loss",
            Self::Accuracy => "accuracy",
            Self::ValAccuracy => "val_accuracy",
        }
    }

    /// The title of its panel.
    pub const fn title(self) -> &'static str {
        match self {
            Self::LearningRate => "Learning rate",
            Self::Loss => "Training loss",
            Self::ValLoss => "Validation loss",
            Self::Accuracy => "Training accuracy",
            Self::ValAccuracy => "Validation accuracy",
        }
    }

    /// At the axis, beside the title.
    pub const fn label(self) -> &'static str {
        match self {
            Self::LearningRate => "learning rate",
            Self::Loss | Self::ValLoss => "loss",
            Self::Accuracy | Self::ValAccuracy => "accuracy",
        }
    }

    pub const fn is_loss(self) -> bool {
        matches!(self, Self::Loss | Self::ValLoss)
    }

    /// What the page's script chooses the axis by.
    pub const fn kind(self) -> &'static str {
        match self {
            Self::LearningRate => "rate",
            Self::Loss | Self::ValLoss => "loss",
            Self::Accuracy | Self::ValAccuracy => "accuracy",
        }
    }
}
