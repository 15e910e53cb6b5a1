//! Compiles `sensor/v1/*.proto` and `runtime/v1/cri.proto` to Rust with `protox`, so that no `protoc` is needed.

fn main() -> Result<(), Box<dyn std::error::Error>> {
    println!("cargo::rerun-if-changed=sensor");
    println!("cargo::rerun-if-changed=runtime");
    let nouns = ["event", "process", "file", "network", "privilege", "kernel", "order", "ingest"];
    let ours = nouns.iter().map(|noun| format!("sensor/v1/{noun}.proto"));
    let files: Vec<String> = ours.chain([String::from("runtime/v1/cri.proto")]).collect();
    let descriptors = protox::compile(&files, ["."])?;
    tonic_prost_build::configure().bytes(".mayfly.sensor.v1.Block.payload").compile_fds(descriptors)?;
    Ok(())
}
