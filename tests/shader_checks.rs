//! The checks of the build script on the text of shaders: they must find what is planted here.

#[path = "../build/twins.rs"]
mod twins;
#[path = "../build/wgsl.rs"]
mod wgsl;

use std::collections::BTreeMap;

use wgsl::{File, import_faults};

const BASE: &str = "// Constants.\nconst LIMIT: u32 = 3u;\n\nstruct Pair {\n    low: f32,\n    high: f32,\n}\n";
const MIDDLE: &str = "#import base\n\nfn sum(pair: Pair) -> f32 {\n    return pair.low + pair.high;\n}\n";

/// A Rust file with the twins `alpha`, and `face` of a type `Ray`.
const RUST: &str = "pub(crate) fn alpha(x: f32) -> f32 {\n    beta(x)\n}\n\n\
                    impl<T> Ray<T> {\n    fn face(&self) {}\n}\n\n\
                    #[cfg(test)]\nmod tests {\n    fn only_for_tests() {}\n}\n";
const BODIES: &str = "// Twin: src/body.rs\n\nfn alpha(x: f32) -> f32 {\n    return inner(x);\n}\n\n\
                      // Device only.\nfn inner(x: f32) -> f32 {\n    return x;\n}\n\n\
                      fn ray_face(x: f32) -> f32 {\n    return x;\n}\n";

fn shared(files: &[(&str, &str)]) -> BTreeMap<String, File> {
    files.iter().map(|&(name, text)| (name.to_owned(), File::parse(name, text))).collect()
}

fn faults(text: &str) -> Vec<String> {
    import_faults(&File::parse("planted", text), &shared(&[("base", BASE), ("middle", MIDDLE)]))
}

#[test]
fn a_file_imports_itself_what_it_uses() {
    let own = "#import base\n#import middle\n\nfn twice(pair: Pair) -> f32 {\n    return sum(pair) + f32(LIMIT);\n}\n";
    assert_eq!(faults(own), Vec::<String>::new());
    let through_another = own.replace("#import base\n", "");
    assert_eq!(
        faults(&through_another),
        [
            "planted.wgsl uses LIMIT of base.wgsl and does not import it",
            "planted.wgsl uses Pair of base.wgsl and does not import it"
        ]
    );
    let unused = "#import base\n#import middle\n\nfn f() -> u32 {\n    return LIMIT; // not sum(pair)\n}\n";
    assert_eq!(faults(unused), ["planted.wgsl imports middle and uses nothing of it"]);
}

#[test]
fn names_of_a_file_itself_need_no_import() {
    // A parameter, a variable and a member with names of others, and a member after a point.
    let own = "#import middle\n\nstruct S {\n    LIMIT: u32,\n}\n\n\
               fn f(Pair: f32, s: S) -> f32 {\n    let LIMIT = s.LIMIT;\n    return Pair + f32(LIMIT) + sum(s);\n}\n";
    assert_eq!(faults(own), Vec::<String>::new());
}

#[test]
fn a_body_without_a_test_is_found() {
    let file = File::parse("body", BODIES);
    assert_eq!(file.twins, ["src/body.rs"]);
    let bodies = twins::bodies(&file, &[RUST.to_owned()]).expect("twins of all");
    assert_eq!(bodies, ["alpha", "ray_face"]);
    let tested = "fn twin_both(c: Case) -> f32 {\n    return through(1.0) + ray_face(2.0);\n}\n\n\
                  fn through(x: f32) -> f32 {\n    return alpha(x);\n}\n";
    let untested = |stage: &str| twins::untested(&bodies, &[&file, &File::parse("twins", stage)]);
    assert_eq!(untested(tested), Vec::<String>::new());
    assert_eq!(untested(&tested.replace(" + ray_face(2.0)", "")), ["ray_face"]);
    assert_eq!(untested(&tested.replace("alpha(x)", "x")), ["alpha"]);
    // A function that no test calls is no test.
    assert_eq!(untested(&tested.replace("twin_both", "both")), ["alpha", "ray_face"]);
}

#[test]
fn a_body_without_a_twin_is_found() {
    let planted = BODIES.replace("// Device only.\n", "");
    let refused = twins::bodies(&File::parse("body", &planted), &[RUST.to_owned()]).expect_err("inner has no twin");
    assert!(refused.contains("inner of body.wgsl has no twin in src/body.rs"), "{refused}");
    let planted = BODIES.replace("fn ray_face", "fn only_for_tests");
    assert!(twins::bodies(&File::parse("body", &planted), &[RUST.to_owned()]).is_err());
}

#[test]
fn tests_are_listed_and_called_by_number() {
    let stage =
        File::parse("twins", "fn twin_alpha(c: Case) {\n}\n\nfn helper() {\n}\n\nfn twin_two_words(c: Case) {\n}\n");
    let tests = twins::tests(&stage);
    assert_eq!(tests, ["alpha", "two_words"]);
    assert!(twins::dispatch(&tests).contains("case 1u: { return twin_two_words(given, stream); }"));
    let list = twins::list(&tests, &["alpha".to_owned()]);
    assert!(list.contains("enum Twin { Alpha, TwoWords }") && list.contains("&[\"alpha\"]"), "{list}");
}
