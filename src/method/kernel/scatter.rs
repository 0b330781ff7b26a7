//! What scattered photons leave in the body as it is, over what they would leave in the medium.
//!
//! They start where photons collide for the first time and fly along the lines of [`Cones`] in all directions, group
//! of energies by group: what a collision leaves to a photon goes on in this group or in one of less energy. Bone and
//! soft tissue attenuate and absorb each group by their own coefficients, so that the soft photons which bone absorbs
//! are missing behind and inside it.

use super::cones::Cones;
use crate::domain::{Control, DoseError};
use crate::physics::kernel::ScatterGroup;

/// Most by which scatter can be more than in the medium.
const MOST: f32 = 10.0;
/// Parts of a collision's energy below this are not followed.
const NEGLIGIBLE: f64 = 1e-4;
/// A group is flown once, and once more for each of these parts of a collision's energy that at least stays in it.
const STAYING: [f64; 3] = [0.05, 0.3, 0.6];

/// Voxels through which photons are scattered.
pub(super) struct Scatterers<'a> {
    pub(super) groups: &'a [ScatterGroup],
    pub(super) shape: [usize; 3],
    pub(super) spacing_cm: [f64; 3],
    /// Densities of what attenuates as the medium and of what attenuates as bone, over that of the medium.
    pub(super) densities: [&'a [f32]; 2],
    pub(super) medium_g_cm3: f64,
}

impl Scatterers<'_> {
    /// For each voxel, the ratios of the doses to the medium and to bone.
    ///
    /// * `starting` – energy of scattered photons that starts in each voxel, by group
    ///
    /// # Errors
    /// [`DoseError::Cancelled`].
    pub(super) fn ratios(&self, starting: Vec<Vec<f32>>, control: &Control) -> Result<[Vec<f32>; 2], DoseError> {
        let again = starting.clone();
        let (own, uniform) = rayon::join(|| self.doses(starting, true, control), || self.doses(again, false, control));
        let (mut own, uniform) = (own?, uniform?);
        for (own, uniform) in own.iter_mut().zip(&uniform) {
            for (own, &uniform) in own.iter_mut().zip(uniform) {
                *own = if uniform > 0.0 && *own > 0.0 { (*own / uniform).min(MOST) } else { 1.0 };
            }
        }
        Ok(own)
    }

    /// Doses to the medium and to bone.
    ///
    /// * `energy` – that starts in each voxel, by group
    /// * `own` – through the densities as they are, and not through the medium
    ///
    /// # Errors
    /// [`DoseError::Cancelled`].
    fn doses(&self, mut energy: Vec<Vec<f32>>, own: bool, control: &Control) -> Result<[Vec<f32>; 2], DoseError> {
        let voxels = self.densities[0].len();
        let mut doses = [0; 2].map(|_| vec![0.0; voxels]);
        for (number, group) in self.groups.iter().enumerate().take(energy.len()) {
            let cones = Cones::of_photons(self.spacing_cm, group.attenuation[0] * self.medium_g_cm3, 1.0);
            let collisions = Collisions::of(group);
            let attenuating = own.then(|| collisions.attenuating(self.densities));
            let crossings = match &attenuating {
                Some(attenuating) => cones.kept(attenuating, self.shape),
                None => cones.in_medium(self.shape),
            };
            let (flown, later) = energy.split_at_mut(number + 1);
            let flying = &mut flown[number];
            if flying.iter().all(|energy| *energy <= 0.0) {
                continue;
            }
            let flights = STAYING.iter().filter(|part| group.onward[0] >= **part).count() + 1;
            for _ in 0..flights {
                let mut collided = cones.absorbed(flying, self.shape, &crossings, control)?;
                match &attenuating {
                    Some(attenuating) => collisions.in_body(&mut collided, attenuating, self.densities, &mut doses),
                    None => collisions.in_medium(&mut collided, &mut doses),
                }
                // What is left to photons, spread over this group and those of less energy.
                spread(&collided, group.onward[0], |voxel, energy| flying[voxel] = energy);
                for (later, part) in later.iter_mut().zip(&group.onward[1..]).filter(|(_, part)| **part > NEGLIGIBLE) {
                    spread(&collided, *part, |voxel, energy| later[voxel] += energy);
                }
            }
            if let Some(next) = later.first_mut() {
                next.iter_mut().zip(flying).for_each(|(next, left)| *next += *left);
            }
        }
        Ok(doses)
    }
}

fn spread(energy: &[f32], part: f64, mut to: impl FnMut(usize, f32)) {
    #[expect(clippy::cast_possible_truncation, reason = "the precision of the transport")]
    let part = part as f32;
    energy.iter().enumerate().for_each(|(voxel, energy)| to(voxel, energy * part));
}

/// Coefficients of a group over the attenuation coefficient of the medium.
struct Collisions {
    bone_attenuates: f32,
    transfer: [f32; 2],
}

impl Collisions {
    fn of(group: &ScatterGroup) -> Self {
        let part = |coefficient: f64| {
            #[expect(clippy::cast_possible_truncation, reason = "the precision of the transport")]
            let part = (coefficient / group.attenuation[0]) as f32;
            part
        };
        Self { bone_attenuates: part(group.attenuation[1]), transfer: group.transfer.map(part) }
    }

    fn attenuating(&self, densities: [&[f32]; 2]) -> Vec<f32> {
        let pairs = densities[0].iter().zip(densities[1]);
        pairs.map(|(medium, bone)| (medium + bone * self.bone_attenuates).max(0.0)).collect()
    }

    /// Adds to the doses, and takes from the energy that collides what is left to electrons.
    fn in_body(&self, collided: &mut [f32], attenuating: &[f32], densities: [&[f32]; 2], doses: &mut [Vec<f32>; 2]) {
        let [to_medium, to_bone] = doses;
        let voxels = collided.iter_mut().zip(attenuating).zip(densities[0].iter().zip(densities[1]));
        for (((collided, &attenuating), (medium, bone)), (to_medium, to_bone)) in
            voxels.zip(to_medium.iter_mut().zip(to_bone))
        {
            let fluence = if attenuating > 0.0 { *collided / attenuating } else { 0.0 };
            *to_medium += fluence * self.transfer[0];
            *to_bone += fluence * self.transfer[1];
            let left = medium * self.transfer[0] + bone * self.transfer[1];
            *collided = (*collided - fluence * left).max(0.0);
        }
    }

    /// As [`Collisions::in_body`], in the medium.
    fn in_medium(&self, collided: &mut [f32], doses: &mut [Vec<f32>; 2]) {
        let [to_medium, to_bone] = doses;
        for (collided, (to_medium, to_bone)) in collided.iter_mut().zip(to_medium.iter_mut().zip(to_bone)) {
            *to_medium += *collided * self.transfer[0];
            *to_bone += *collided * self.transfer[1];
            *collided *= 1.0 - self.transfer[0];
        }
    }
}
