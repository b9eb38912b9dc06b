//! Enums whose variants are the allowed words of a parameter.

/// An enum with a word for each variant.
///
/// ```
/// lrsched_schedule::words! {
///     /// The shape of a rise.
///     pub enum Anneal {
///         /// (1 − cos πx) / 2.
///         Cos = "cos",
///         /// x.
///         Linear = "linear",
///     }
/// }
/// assert_eq!((Anneal::NAMES, Anneal::named("linear"), Anneal::Cos.name()), (["cos", "linear"], Some(Anneal::Linear), "cos"));
/// ```
#[macro_export]
macro_rules! words {
    ($(#[$about:meta])* pub enum $name:ident { $($(#[$variant_about:meta])* $variant:ident = $word:literal),+ $(,)? }) => {
        $(#[$about])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum $name {
            $($(#[$variant_about])* $variant),+
        }

        impl $name {
            /// Every variant, in the order of [`NAMES`](Self::NAMES).
            pub const ALL: [Self; [$($word),+].len()] = [$(Self::$variant),+];
            /// The words, as specs write them.
            pub const NAMES: [&str; Self::ALL.len()] = [$($word),+];

            /// The word, as specs write it.
            pub fn name(self) -> &'static str {
                match self {
                    $(Self::$variant => $word),+
                }
            }

            /// The variant of this name.
            pub fn named(name: &str) -> Option<Self> {
                Self::ALL.into_iter().find(|one| one.name() == name)
            }
        }
    };
}

pub(crate) use words;
