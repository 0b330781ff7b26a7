//! Mean energies per decay.

/// Mean energy per decay, by the groups of radiation that methods distinguish [MeV].
#[derive(Clone, Copy, Debug, Default, PartialEq, serde::Serialize)]
pub struct MeanEnergy {
    /// Beta particles and positrons (kinetic), conversion and Auger electrons, relaxation.
    pub electron: f64,
    /// Gamma and X rays, and annihilation photons.
    pub photon: f64,
    /// Alpha particles.
    pub alpha: f64,
    /// Nuclei that recoil from an alpha particle.
    pub recoil: f64,
}

impl MeanEnergy {
    /// Total energy emitted [MeV per decay].
    pub fn total(&self) -> f64 {
        self.charged() + self.photon
    }

    /// Energy of charged particles [MeV per decay].
    pub fn charged(&self) -> f64 {
        self.electron + self.alpha + self.recoil
    }
}

/// Mean energy per decay, by type of radiation [MeV].
#[derive(Clone, Copy, Debug, Default, PartialEq, serde::Serialize)]
pub struct RadiationEnergy {
    /// Beta particles.
    pub beta: f64,
    /// Kinetic energy of positrons.
    pub positron: f64,
    /// Conversion electrons.
    pub conversion: f64,
    /// Auger and Coster-Kronig electrons.
    pub auger: f64,
    /// Emissions of atoms below 1 keV that are not listed otherwise.
    pub relaxation: f64,
    /// Gamma rays.
    pub gamma: f64,
    /// X rays.
    pub x_ray: f64,
    /// Photons of positrons that annihilate at rest.
    pub annihilation: f64,
    /// Alpha particles.
    pub alpha: f64,
    /// Nuclei that recoil from an alpha particle.
    pub recoil: f64,
}

impl From<RadiationEnergy> for MeanEnergy {
    fn from(by_type: RadiationEnergy) -> Self {
        let RadiationEnergy {
            beta,
            positron,
            conversion,
            auger,
            relaxation,
            gamma,
            x_ray,
            annihilation,
            alpha,
            recoil,
        } = by_type;
        Self {
            electron: beta + positron + conversion + auger + relaxation,
            photon: gamma + x_ray + annihilation,
            alpha,
            recoil,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn means_add_up() {
        let by_type = RadiationEnergy {
            beta: 1.0,
            positron: 2.0,
            gamma: 4.0,
            annihilation: 8.0,
            recoil: 16.0,
            ..Default::default()
        };
        let mean = MeanEnergy::from(by_type);
        assert_eq!((mean.electron, mean.photon, mean.charged(), mean.total()), (3.0, 12.0, 19.0, 31.0));
    }
}
