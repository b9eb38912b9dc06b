//! tmp
pub struct CpuEngine(super::candle::CandleEngine);
impl CpuEngine {
    pub fn new(a: &crate::model::Architecture, o: super::Objective, t: usize) -> anyhow::Result<Self> {
        Ok(Self(super::candle::CandleEngine::new(a, o, candle_core::Device::Cpu, t)?))
    }
}
impl super::Engine for CpuEngine {
    fn name(&self) -> &'static str {
        "cpu"
    }
    fn train_batch(
        &mut self,
        p: &mut crate::model::Parameters,
        b: &crate::data::Batch,
        g: &mut crate::model::Gradients,
    ) -> anyhow::Result<super::BatchStats> {
        self.0.train_batch(p, b, g)
    }
    fn eval_batch(
        &mut self,
        p: &crate::model::Parameters,
        b: &crate::data::Batch,
        l: Option<&mut Vec<f32>>,
    ) -> anyhow::Result<super::BatchStats> {
        self.0.eval_batch(p, b, l)
    }
}
