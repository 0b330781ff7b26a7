//! Whether the commands that a page shows exist, with their flags. They are not run.

use std::process::Command;

/// The words behind `dosegrid` of each command.
fn commands(block: &str) -> Vec<Vec<String>> {
    let joined = block.replace("\\\n", " ");
    let lines = joined.lines().map(|line| line.split(" # ").next().unwrap_or_default());
    let parts = lines.flat_map(|line| line.split([';', '|', '&']).map(str::to_owned).collect::<Vec<_>>());
    let words = parts.map(|part| part.split_whitespace().map(str::to_owned).collect::<Vec<_>>());
    let is_program = |word: &String| word == "dosegrid";
    words.filter_map(|words| words.iter().position(is_program).map(|at| words[at + 1..].to_vec())).collect()
}

fn help(words: &[&str]) -> Result<String, String> {
    let output = Command::new(env!("CARGO_BIN_EXE_dosegrid")).args(words).arg("--help").output();
    let output = output.map_err(|error| error.to_string())?;
    match output.status.success() {
        true => Ok(String::from_utf8_lossy(&output.stdout).into_owned()),
        false => Err(format!("there is no command `dosegrid {}`", words.join(" "))),
    }
}

/// The help of a command; for one with actions, of the action.
fn help_of(words: &[String]) -> Result<String, String> {
    let names: Vec<&str> = words.iter().map(String::as_str).take_while(|word| !word.starts_with('-')).collect();
    let Some(command) = names.first() else { return help(&[]) };
    let text = help(&[command])?;
    let actions = text.split("Commands:\n").nth(1).unwrap_or_default();
    let action = names.get(1).filter(|name| {
        actions.lines().take_while(|line| !line.is_empty()).any(|line| line.split_whitespace().next() == Some(**name))
    });
    action.map_or(Ok(text.clone()), |action| Ok(text.clone() + &help(&[command, action])?))
}

/// Checks every command and flag of `dosegrid` in a block.
///
/// # Errors
/// What does not exist.
pub(super) fn exist(block: &str) -> Result<(), String> {
    for words in commands(block) {
        let help = help_of(&words)?;
        let known: Vec<&str> = help.split(|letter: char| !letter.is_ascii_alphanumeric() && letter != '-').collect();
        let flags = words.iter().filter(|word| word.starts_with("--") && word.len() > 2);
        for flag in flags.map(|flag| flag.split('=').next().unwrap_or_default()) {
            if !known.contains(&flag) {
                return Err(format!("`dosegrid {}` has no flag {flag}", words.join(" ")));
            }
        }
    }
    Ok(())
}

#[test]
fn a_flag_that_does_not_exist_is_found() {
    exist("pip install x\nA=b dosegrid serve --listen 127.0.0.1:0 \\\n  --device cpu & # --no-flag\n")
        .expect("all exist");
    exist("dosegrid gateway release ID --config gateway.toml\ndosegrid demo --method=local").expect("all exist");
    assert_eq!(
        exist("x && dosegrid demo --metod local"),
        Err("`dosegrid demo --metod local` has no flag --metod".into())
    );
    assert_eq!(exist("dosegrid dance"), Err("there is no command `dosegrid dance`".into()));
}
