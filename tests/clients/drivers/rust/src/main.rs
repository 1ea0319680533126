//! The driver of the Rust client: commands from standard input, done by its face. See tests/clients/README.md.

mod reading;

use std::io::{self, BufRead as _, Write as _};
use std::time::Duration;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use futures_util::TryStreamExt as _;
use runwire::v1::event::Payload;
use runwire::v1::runner_service_client::RunnerServiceClient;
use runwire::v1::session_service_client::SessionServiceClient;
use runwire::v1::{CancelRequest, Channel, GetSessionRequest, Outcome, RunRequest, SessionKey};
use runwire::{Client, Conversation, Endpoint, Error, retry};
use serde_json::{Value, json};

/// What ends a command other than well.
enum Failure {
    Client(Error),
    Cancelled,
    Bug(String),
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Failure::Client(error)
    }
}

fn main() -> io::Result<()> {
    // More than the thread that reads commands: connections live between them, too.
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    let mut client: Option<(String, Client)> = None;
    for line in io::stdin().lock().lines() {
        let done = match serde_json::from_str::<Value>(&line?) {
            Ok(command) => runtime.block_on(obey(&command, &mut client)),
            Err(error) => Err(Failure::Bug(error.to_string())),
        };
        say(&json!({"done": done.unwrap_or_else(|failure| json!({"error": described(failure)}))}));
    }
    Ok(())
}

async fn obey(command: &Value, kept: &mut Option<(String, Client)>) -> Result<Value, Failure> {
    let target = text(command, "target");
    let client = match kept {
        Some((known, client)) if *known == target => client.clone(),
        _ => kept.insert((target.clone(), connected(&target)?)).1.clone(),
    };
    match text(command, "op").as_str() {
        "run" => {
            let mut run = client.run(request::<RunRequest>(command)?);
            if let Some(deadline) = command["deadline_ms"].as_u64() {
                run = run.with_deadline(Duration::from_millis(deadline));
            }
            reading::read(run, command).await
        }
        "attach" => reading::read(client.attach(request(command)?), command).await,
        "chat" => chat(&conversation(&client, command), command).await,
        "subscribe" => subscribe(&conversation(&client, command), command).await,
        "cancel" => {
            let runner = RunnerServiceClient::new(client.service());
            let cancelled =
                retry(request::<CancelRequest>(command)?, async |it| runner.clone().cancel(it).await).await?;
            Ok(json!({"changed": cancelled.changed}))
        }
        "get_session" => {
            let sessions = SessionServiceClient::new(client.service());
            let got = retry(request::<GetSessionRequest>(command)?, async |it| sessions.clone().get_session(it).await)
                .await?;
            Ok(json!({"event_count": got.session.unwrap_or_default().event_count}))
        }
        op => Err(Failure::Bug(format!("no such op: {op}"))),
    }
}

fn connected(target: &str) -> Result<Client, Failure> {
    let endpoint = Endpoint::from_shared(format!("http://{target}"));
    Ok(Client::new(endpoint.map_err(|error| Failure::Bug(error.to_string()))?))
}

fn conversation(client: &Client, command: &Value) -> Conversation {
    let (user_id, session_id) = (text(command, "user_id"), text(command, "session_id"));
    client.conversation(SessionKey { user_id, session_id, ..Default::default() })
}

async fn chat(conversation: &Conversation, command: &Value) -> Result<Value, Failure> {
    let mut texts = Vec::new();
    for message in texts_of(command, "messages") {
        texts.push(conversation.chat(message.as_str()).await?);
    }
    Ok(json!({"texts": texts, "session_id": conversation.session_id()}))
}

async fn subscribe(conversation: &Conversation, command: &Value) -> Result<Value, Failure> {
    let names = texts_of(command, "channels").into_iter();
    let channels: Option<Vec<_>> =
        names.map(|name| Channel::from_str_name(&format!("CHANNEL_{}", name.to_uppercase()))).collect();
    let mut events = conversation.subscribe(&channels.ok_or_else(|| Failure::Bug("no such channel".to_owned()))?);
    let messages = texts_of(command, "messages");
    for message in &messages {
        conversation.send(message.as_str()).await?;
    }
    let mut completions = 0;
    while completions < messages.len()
        && let Some(event) = events.try_next().await?
    {
        completions += usize::from(matches!(event.payload, Some(Payload::Completion(_))));
        say(&json!({"event": encoded(&event)}));
    }
    Ok(json!({}))
}

/// Writes one line, at once.
fn say(line: &Value) {
    let mut out = io::stdout().lock();
    // Nobody to hear it: the end of the input comes next.
    let _ = writeln!(out, "{line}").and_then(|()| out.flush());
}

fn text(command: &Value, key: &str) -> String {
    command[key].as_str().unwrap_or_default().to_owned()
}

fn texts_of(command: &Value, key: &str) -> Vec<String> {
    let texts = command[key].as_array().into_iter().flatten();
    texts.filter_map(|text| text.as_str().map(str::to_owned)).collect()
}

fn request<T: prost::Message + Default>(command: &Value) -> Result<T, Failure> {
    let bytes = STANDARD.decode(text(command, "request")).map_err(|error| Failure::Bug(error.to_string()))?;
    T::decode(bytes.as_slice()).map_err(|error| Failure::Bug(error.to_string()))
}

fn encoded(message: &impl prost::Message) -> String {
    STANDARD.encode(message.encode_to_vec())
}

fn described(failure: Failure) -> Value {
    match failure {
        Failure::Cancelled => json!({"kind": "cancelled"}),
        Failure::Client(Error::Call(error)) => {
            let fields: Vec<_> = error.violations.iter().map(|violation| &violation.field).collect();
            let code = upper_snake_case(&format!("{:?}", error.code));
            json!({"kind": "call", "code": code, "reason": error.reason, "fields": fields})
        }
        Failure::Client(Error::Ended(completion)) => {
            let known = Outcome::try_from(completion.outcome);
            let outcome = known.map_or_else(|_| completion.outcome.to_string(), |known| name(known.as_str_name()));
            json!({"kind": "ended", "outcome": outcome, "stop_reason": completion.stop_reason})
        }
        Failure::Bug(message) => json!({"kind": "bug", "message": message}),
    }
}

fn name(outcome: &str) -> String {
    outcome.trim_start_matches("OUTCOME_").to_owned()
}

fn upper_snake_case(name: &str) -> String {
    let mut made = String::new();
    for letter in name.chars() {
        if letter.is_uppercase() && !made.is_empty() {
            made.push('_');
        }
        made.extend(letter.to_uppercase());
    }
    made
}
