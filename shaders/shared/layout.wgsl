// What every stage of a convolution is told. The Rust struct of the same name is generated from this one.
struct ConvolutionParams {
    n_x: u32,                  // voxels of source and result
    n_y: u32,
    n_planes: u32,             // planes along z that this pass works on
    first_volume_plane: u32,   // where they start in the buffer of voxels
    first_spectrum_plane: u32, // where they start in the spectrum
    volume_planes: u32,        // planes in the buffer of source voxels
    padded_y: u32,             // rows of a plane of the spectrum
    first_kx: u32,             // the slab of the half spectrum that is held
    n_kx: u32,
    row_stride: u32,           // complex values from one row of the spectrum to the next
    n_source_planes: u32,      // planes that the z transform reads
    first_result_plane: u32,   // planes that it keeps
    n_result_planes: u32,
    core_x: u32,               // kernel offsets that are convolved directly
    core_y: u32,
    core_z: u32,
    first_group: u32,          // workgroups of this pass that this dispatch runs
    end_group: u32,
}

@group(0) @binding(0) var<uniform> params: ConvolutionParams;
