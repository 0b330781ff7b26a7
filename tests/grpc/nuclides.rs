//! `ListNuclides` and `GetNuclide`.

use dosegrid::api::pb;
use tonic::Code;

use super::{Server, reason_and_fields, small};

fn ask(name: &str) -> pb::GetNuclideRequest {
    pb::GetNuclideRequest { name: name.into() }
}

#[tokio::test(flavor = "multi_thread")]
async fn one_is_told_in_full() {
    let server = Server::start(small()).await;
    let mut client = server.raw().await;
    let listed = client.list_nuclides(pb::ListNuclidesRequest {}).await.expect("a list").into_inner().nuclides;
    let actinium = client.get_nuclide(ask("225ac")).await.expect("known").into_inner();
    assert_eq!(actinium.nuclide.as_ref(), listed.iter().find(|nuclide| nuclide.name == "Ac-225"));
    let names: Vec<&str> = actinium.descendants.iter().map(|d| d.name.as_str()).collect();
    assert!(["Fr-221", "Po-213", "Pb-209", "Bi-209"].iter().all(|name| names.contains(name)), "{names:?}");
    assert_eq!((actinium.decay_modes[0].mode.as_str(), actinium.decay_modes[0].daughter.as_str()), ("alpha", "Fr-221"));
    let mean = actinium.mean_energy.expect("means");
    let alphas: f64 = actinium.alpha_lines.iter().map(|line| line.energy_mev * line.intensity).sum();
    assert!((alphas / mean.alpha_mev - 1.0).abs() < 1e-12 && mean.recoil_mev > 0.1);

    let copper = client.get_nuclide(ask("Copper-64")).await.expect("known").into_inner();
    let modes: Vec<&str> = copper.beta_ranges.iter().map(|range| range.mode.as_str()).collect();
    assert_eq!(modes, ["beta-", "beta+"]);
    let betas: f64 = copper.beta_branches.iter().map(|branch| branch.intensity * branch.mean_mev).sum();
    let mean = copper.mean_energy.expect("means");
    assert!((betas / (mean.beta_mev + mean.positron_mev) - 1.0).abs() < 1e-5);
    assert!(copper.electron_captures.iter().all(|capture| capture.k_part > 0.5));
}

#[tokio::test(flavor = "multi_thread")]
async fn unknown_names_are_not_found() {
    let server = Server::start(small()).await;
    let mut client = server.raw().await;
    let long = "é".repeat(100_000);
    for (name, words) in
        [("Lu-178", "similar names: Lu-177"), ("Hf-177", "stable"), ("\u{0}", "known names:"), (&long, "known names:")]
    {
        let status = client.get_nuclide(ask(name)).await.expect_err("unknown");
        assert_eq!((status.code(), reason_and_fields(&status).0.as_str()), (Code::NotFound, "UNKNOWN_NUCLIDE"));
        assert!(status.message().contains(words) && status.message().len() < 2000, "{}", status.message());
    }
    let status = client.get_nuclide(ask("")).await.expect_err("no name");
    assert_eq!(status.code(), Code::InvalidArgument);
    assert_eq!(reason_and_fields(&status), ("INVALID_REQUEST".to_owned(), vec!["name".to_owned()]));
}
