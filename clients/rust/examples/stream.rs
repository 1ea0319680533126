//! Streams an answer. usage: cargo run --example stream -- [TEXT] [HOST:PORT]

use std::io::{Write as _, stdout};

use futures_util::TryStreamExt as _;
use runwire::{Client, Endpoint, v1::RunRequest};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let text = arguments.next().unwrap_or_else(|| "What is 25*4?".to_owned());
    let address = arguments.next().unwrap_or_else(|| "127.0.0.1:50051".to_owned());

    let client = Client::new(Endpoint::from_shared(format!("http://{address}"))?);
    let run = client.run(RunRequest { user_id: "example".to_owned(), ..RunRequest::from(text.as_str()) });
    let mut deltas = run.deltas();
    while let Some(piece) = deltas.try_next().await? {
        print!("{piece}");
        stdout().flush()?;
    }
    println!();
    Ok(())
}
