//! Beta spectra from theory, of electrons and of positrons.
//!
//! For a branch with total endpoint energy W₀, in units of the electron's rest energy,
//!
//! N(W) ∝ p W (W₀ − W)² Σ_k F_k(W) p^(2k−2) q^(2L−2k) / ((2k − 1)! (2L − 2k + 1)!), k = 1 to L,
//!
//! with the momenta p of the beta particle and q = W₀ − W of the neutrino. L is 1 for allowed transitions and n + 1 for
//! unique forbidden ones of order n; F₁ is the Fermi function and F_k/F₁ is λ_k. `radial_wave_function` computes F_k
//! from the Dirac equation, so that all of them include the size of the nucleus and the screening by the atom
//! (`potential`). The shape of a non-unique forbidden transition depends on nuclear matrix elements: those of first
//! order are treated as allowed, those of higher order as unique of one order less.
//!
//! Left out: radiative corrections, the exchange with atomic electrons, which adds electrons below a few keV, and the
//! shape factors that nuclear matrix elements give to allowed and non-unique transitions.
//!
//! Source: H. Behrens and W. Bühring, *Electron Radial Wave Functions and Nuclear Beta-decay* (1982); X. Mougeot,
//! Phys. Rev. C 91 (2015) 055504, for the treatment of non-unique transitions; L. Hayen et al., Rev. Mod. Phys. 90
//! (2018) 015008, for what is left out.

mod continuum;
mod fermi;
mod potential;
mod radial_wave_function;

pub use continuum::{Branch, Continuum, continuum};
