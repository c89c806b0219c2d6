//! Lists the built-in declarations, so that a file in `providers` is a connector without further
//! words.

use std::error::Error;
use std::fmt::Write as _;
use std::path::PathBuf;

fn main() -> Result<(), Box<dyn Error>> {
    let directory = PathBuf::from(std::env::var("CARGO_MANIFEST_DIR")?).join("providers");
    println!("cargo::rerun-if-changed={}", directory.display());
    let mut files = Vec::new();
    for entry in std::fs::read_dir(&directory)? {
        let path = entry?.path();
        let name = path.file_stem().and_then(|stem| stem.to_str());
        match (name, path.extension().and_then(|end| end.to_str())) {
            (Some(name), Some("toml")) => files.push((name.to_owned(), path.clone())),
            _ => return Err(format!("{} is not NAME.toml", path.display()).into()),
        }
    }
    files.sort();
    let mut table = format!("static BUILT_IN: [BuiltIn; {}] = [\n", files.len());
    for (name, path) in files {
        writeln!(
            table,
            "    BuiltIn::new({name:?}, include_str!({:?})),",
            path.display().to_string()
        )?;
    }
    table.push_str("];\n");
    let out = PathBuf::from(std::env::var("OUT_DIR")?).join("built_in.rs");
    Ok(std::fs::write(out, table)?)
}
