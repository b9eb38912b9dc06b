//! Reads the files of runs, never trains: tables, charts.

pub mod chart;
pub fn comparison_table(_rows: &[crate::record::ComparisonRow], _width: usize) -> String {
    String::new()
}
pub fn write_comparison_figures(_folder: &std::path::Path) -> anyhow::Result<Vec<std::path::PathBuf>> {
    Ok(vec![])
}
