//! The portable reference: candle-nn layers, differentiated by candle.
