//! How the dose is computed.

use super::{monte_carlo, pb};
use crate::domain::{DensityCorrection, KernelMedium, KernelOptions, LocalOptions, Method};
use crate::request::{RawKernelMethod, RawLocalMethod, RawMethod};

pub(super) fn encode(method: &Method) -> pb::Method {
    use pb::method::Method as Arm;
    let arm = match method {
        &Method::Local(LocalOptions { minimum_density_g_cm3 }) => {
            Arm::Local(pb::LocalMethod { minimum_density_g_cm3: Some(minimum_density_g_cm3) })
        }
        &Method::Kernel(KernelOptions { medium, density_correction, minimum_density_g_cm3, truncation_radius_mm }) => {
            Arm::Kernel(pb::KernelMethod {
                medium: encode_medium(medium).into(),
                density_correction: encode_correction(density_correction).into(),
                minimum_density_g_cm3: Some(minimum_density_g_cm3),
                truncation_radius_mm,
            })
        }
        Method::MonteCarlo(options) => Arm::MonteCarlo(monte_carlo::encode(options)),
    };
    pb::Method { method: Some(arm) }
}

pub(super) fn decode(message: pb::Method) -> RawMethod {
    use pb::method::Method as Arm;
    // An arm that this version lacks reads as none: what it asks for must not become something else.
    let Some(arm) = message.method else { return RawMethod::Unknown };
    match arm {
        Arm::Local(pb::LocalMethod { minimum_density_g_cm3 }) => {
            RawMethod::Local(RawLocalMethod { minimum_density_g_cm3 })
        }
        Arm::Kernel(options) => RawMethod::Kernel(RawKernelMethod {
            medium: decode_medium(options.medium),
            density_correction: decode_correction(options.density_correction),
            minimum_density_g_cm3: options.minimum_density_g_cm3,
            truncation_radius_mm: options.truncation_radius_mm,
        }),
        Arm::MonteCarlo(options) => RawMethod::MonteCarlo(Box::new(monte_carlo::decode(options))),
    }
}

fn encode_medium(medium: KernelMedium) -> pb::KernelMedium {
    match medium {
        KernelMedium::Water => pb::KernelMedium::Water,
        KernelMedium::SoftTissue => pb::KernelMedium::SoftTissue,
        KernelMedium::Lung => pb::KernelMedium::Lung,
        KernelMedium::CompactBone => pb::KernelMedium::CompactBone,
        KernelMedium::CorticalBone => pb::KernelMedium::CorticalBone,
    }
}

/// The name of a medium, or the number of one that is not known; none if it is not given.
pub(super) fn decode_medium(number: i32) -> Option<String> {
    let medium = match pb::KernelMedium::try_from(number) {
        Ok(pb::KernelMedium::Unspecified) => return None,
        Ok(pb::KernelMedium::Water) => KernelMedium::Water,
        Ok(pb::KernelMedium::SoftTissue) => KernelMedium::SoftTissue,
        Ok(pb::KernelMedium::Lung) => KernelMedium::Lung,
        Ok(pb::KernelMedium::CompactBone) => KernelMedium::CompactBone,
        Ok(pb::KernelMedium::CorticalBone) => KernelMedium::CorticalBone,
        Err(_) => return Some(number.to_string()),
    };
    Some(medium.name().to_owned())
}

fn encode_correction(correction: DensityCorrection) -> pb::DensityCorrection {
    match correction {
        DensityCorrection::None => pb::DensityCorrection::Water,
        DensityCorrection::DensityScaled => pb::DensityCorrection::DensityScaled,
    }
}

/// The name of a correction, or the number of one that is not known; none if it is not given.
fn decode_correction(number: i32) -> Option<String> {
    let correction = match pb::DensityCorrection::try_from(number) {
        Ok(pb::DensityCorrection::Unspecified) => return None,
        Ok(pb::DensityCorrection::Water) => DensityCorrection::None,
        Ok(pb::DensityCorrection::DensityScaled) => DensityCorrection::DensityScaled,
        Err(_) => return Some(number.to_string()),
    };
    Some(correction.name().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_survive_the_wire_and_unknown_numbers_are_told() {
        for medium in KernelMedium::ALL {
            assert_eq!(decode_medium(encode_medium(medium).into()).as_deref(), Some(medium.name()));
        }
        for correction in DensityCorrection::ALL {
            assert_eq!(decode_correction(encode_correction(correction).into()).as_deref(), Some(correction.name()));
        }
        assert_eq!((decode_medium(0), decode_medium(99).as_deref()), (None, Some("99")));
        assert_eq!((decode_correction(0), decode_correction(-1).as_deref()), (None, Some("-1")));
    }
}
