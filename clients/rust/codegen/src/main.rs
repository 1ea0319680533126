//! Writes the client's generated code. usage: runwire-codegen IMAGE FOLDER
//!
//! IMAGE is what `buf build` makes of protos/: a descriptor set, so that no protoc is needed.

use std::{env, error::Error, fs, path::Path};

use prost::Message as _;
use prost_types::FileDescriptorSet;

const HEADER: &str = "\
//! What protos/ say: messages, enums, and a stub for each service. Made by clients/rust/generate. Do not edit.
#![allow(clippy::all, clippy::pedantic, rustdoc::all)]

";

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = env::args_os().skip(1);
    let (Some(image), Some(folder)) = (arguments.next(), arguments.next()) else {
        return Err("usage: runwire-codegen IMAGE FOLDER".into());
    };
    let folder = Path::new(&folder);
    let files = FileDescriptorSet::decode(fs::read(image)?.as_slice())?;
    tonic_prost_build::configure()
        .build_server(false)
        // The face makes the connection.
        .build_transport(false)
        .emit_rerun_if_changed(false)
        .out_dir(folder)
        .compile_fds(files)?;
    // One package is one file, and that is the module.
    let made = folder.join("runwire.v1.rs");
    fs::write(folder.join("mod.rs"), HEADER.to_owned() + &fs::read_to_string(&made)?)?;
    fs::remove_file(made)?;
    Ok(())
}
