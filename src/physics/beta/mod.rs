//! Beta spectra from theory, of electrons and of positrons.
//!
//! Of a branch with total endpoint energy W₀, in units of the electron's rest energy,
//!
//! N(W) ∝ p W (W₀ − W)² Σ_k F_k(W) p^(2k−2) q^(2L−2k) / ((2k − 1)! (2L − 2k + 1)!), k = 1 to L,
//!
//! with the momenta p of the beta particle and q = W₀ − W of the neutrino. L is 1 for allowed transitions and n + 1 for unique forbidden ones of order n;
//! F₁ is the Fermi function and F_k/F₁ is λ_k. `waves` computes F_k from Dirac's equation, so that the size of the nucleus and the screening by the atom
//! (`potential`) are in all of them. Non-unique forbidden transitions, whose shape would need nuclear matrix elements, are taken as allowed if of first
//! order and as unique of one order less above.
//!
//! Left out: radiative corrections and exchange with the electrons of the atom, which adds electrons below some keV; the shape factors that nuclear matrix
//! elements give to allowed and non-unique transitions.
//!
//! Source: H. Behrens and W. Bühring, *Electron Radial Wave Functions and Nuclear Beta-decay* (1982); X. Mougeot, Phys. Rev. C 91 (2015) 055504, for what is
//! taken for non-unique transitions; L. Hayen et al., Rev. Mod. Phys. 90 (2018) 015008, for what is left out.

mod continuum;
mod potential;
mod shape;
mod waves;

pub use continuum::{Branch, Continuum, continuum};
