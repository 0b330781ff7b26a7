//! What a caller must be to make a call: the one table.

use crate::api::identity::Role;

/// What a call needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Need {
    /// Nothing: health.
    Nothing,
    /// An identity.
    Identity,
    /// An identity with a role.
    Role(Role),
}

/// How messages go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// One message each way.
    Unary,
    /// A stream of messages, one way or both.
    Stream,
}

use Kind::{Stream, Unary};

/// Calls by the end of their path: `SERVICE/METHOD`, or `SERVICE/` for all of a service.
const CALLS: &[(&str, Need, Kind)] = &[
    ("grpc.health.v1.Health/", Need::Nothing, Stream),
    ("grpc.reflection.v1.ServerReflection/", Need::Identity, Stream),
    ("grpc.reflection.v1alpha.ServerReflection/", Need::Identity, Stream),
    ("dosegrid.v1.DoseService/Compute", Need::Role(Role::Submit), Stream),
    ("dosegrid.v1.DoseService/ComputeKernel", Need::Role(Role::Submit), Unary),
    ("dosegrid.v1.DoseService/MergeTallies", Need::Role(Role::Submit), Stream),
    ("dosegrid.v1.DoseService/Resample", Need::Role(Role::Submit), Stream),
    ("dosegrid.v1.DoseService/Integrate", Need::Role(Role::Submit), Stream),
    ("dosegrid.v1.DoseService/IntegrateCurves", Need::Role(Role::Submit), Unary),
    ("dosegrid.v1.DoseService/ComputeBed", Need::Role(Role::Submit), Stream),
    ("dosegrid.v1.DoseService/ComputeBudget", Need::Role(Role::Submit), Unary),
    ("dosegrid.v1.DoseService/ListNuclides", Need::Identity, Unary),
    ("dosegrid.v1.DoseService/GetNuclide", Need::Identity, Unary),
    ("dosegrid.v1.DoseService/ListDevices", Need::Identity, Unary),
    ("dosegrid.v1.DoseService/GetServerInfo", Need::Identity, Unary),
    ("dosegrid.v1.VolumeService/CheckVolumes", Need::Role(Role::Submit), Unary),
    ("dosegrid.v1.VolumeService/PutVolume", Need::Role(Role::Submit), Stream),
    ("dosegrid.v1.VolumeService/GetVolume", Need::Role(Role::Read), Stream),
    ("dosegrid.v1.VolumeService/DeleteVolume", Need::Role(Role::Submit), Unary),
    ("dosegrid.v1.JobService/CreateJob", Need::Role(Role::Submit), Unary),
    ("dosegrid.v1.JobService/GetJob", Need::Role(Role::Read), Unary),
    ("dosegrid.v1.JobService/ListJobs", Need::Role(Role::Read), Unary),
    ("dosegrid.v1.JobService/WatchJob", Need::Role(Role::Read), Stream),
    ("dosegrid.v1.JobService/CancelJob", Need::Role(Role::Submit), Unary),
    ("dosegrid.v1.JobService/DeleteJob", Need::Role(Role::Submit), Unary),
];

/// What metrics call a call that no service has.
const UNKNOWN: &str = "unknown";

/// The call of a path, if this protocol has it.
fn known(path: &str) -> Option<&'static (&'static str, Need, Kind)> {
    let call = path.strip_prefix('/').unwrap_or(path);
    let is_it = |known: &str| call == known || known.ends_with('/') && call.starts_with(known);
    CALLS.iter().find(|(known, ..)| is_it(known))
}

/// What a call needs. One that no service has needs an identity: who has none does not learn what there is.
///
/// * `path` – such as `/dosegrid.v1.DoseService/Compute`
pub(super) fn need(path: &str) -> Need {
    known(path).map_or(Need::Identity, |(_, need, _)| *need)
}

/// How the messages of a call go, if it is one of this program's own services.
pub(super) fn kind(path: &str) -> Option<Kind> {
    known(path).filter(|(name, ..)| !name.ends_with('/')).map(|(_, _, kind)| *kind)
}

/// The name of a call for metrics: none of a caller's own making.
pub(in crate::api) fn name(path: &str) -> &'static str {
    known(path).map_or(UNKNOWN, |(name, ..)| name.trim_end_matches('/'))
}

/// The names of all calls for metrics.
pub(in crate::api) fn names() -> Vec<&'static str> {
    CALLS.iter().map(|(name, ..)| name.trim_end_matches('/')).chain([UNKNOWN]).collect()
}

#[cfg(test)]
mod tests {
    use prost::Message as _;

    use super::*;
    use crate::api::pb;

    /// The descriptor set, as far as names go. Source: google/protobuf/descriptor.proto.
    #[derive(Clone, PartialEq, prost::Message)]
    struct Files {
        #[prost(message, repeated, tag = "1")]
        file: Vec<File>,
    }

    #[derive(Clone, PartialEq, prost::Message)]
    struct File {
        #[prost(string, tag = "2")]
        package: String,
        #[prost(message, repeated, tag = "6")]
        service: Vec<Service>,
    }

    #[derive(Clone, PartialEq, prost::Message)]
    struct Service {
        #[prost(string, tag = "1")]
        name: String,
        #[prost(message, repeated, tag = "2")]
        method: Vec<Method>,
    }

    #[derive(Clone, PartialEq, prost::Message)]
    struct Method {
        #[prost(string, tag = "1")]
        name: String,
    }

    #[test]
    fn every_call_of_the_protocol_has_its_need() {
        let files = Files::decode(pb::DESCRIPTORS).expect("a descriptor set");
        let mut found = 0;
        for file in &files.file {
            for service in &file.service {
                for method in &service.method {
                    let call = format!("{}.{}/{}", file.package, service.name, method.name);
                    assert!(CALLS.iter().any(|(known, ..)| *known == call), "{call} is not in the table");
                    found += 1;
                }
            }
        }
        assert!(found >= 8, "only {found} calls were found");
    }

    #[test]
    fn what_is_not_known_needs_an_identity() {
        assert_eq!(need("/dosegrid.v1.DoseService/Computer"), Need::Identity);
        assert_eq!(need("/grpc.health.v1.Healthy/Check"), Need::Identity);
        assert_eq!(need("/grpc.health.v1.Health/Watch"), Need::Nothing);
        assert_eq!(need("/dosegrid.v1.DoseService/Compute"), Need::Role(Role::Submit));
    }
}
