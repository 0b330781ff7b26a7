//! How long the stages take to compile.

use std::time::Instant;

use crate::domain::{Control, DoseError};
use crate::engine::gpu::context::{Context, Pipeline, line_constants};
use crate::engine::gpu::shader::{self, Shader};
use crate::engine::gpu::transport::constants;
use crate::engine::measures::CompileTime;

/// Points of the lines that a transform is compiled for, and lines of a workgroup.
const LINES: (usize, usize) = (288, 4);

/// Compiles every stage of convolution and transport twice.
pub(super) fn times(context: &Context, control: &Control) -> Result<Vec<CompileTime>, DoseError> {
    let lines = [&shader::FORWARD_X, &shader::FORWARD_Y, &shader::MULTIPLY_Z, &shader::INVERSE_Y, &shader::INVERSE_X];
    let transport = [
        &shader::TRANSPORT_SCHEDULE,
        &shader::TRANSPORT_EMISSION,
        &shader::TRANSPORT_CHARGED,
        &shader::TRANSPORT_PHOTON,
    ];
    let convolution = lines.into_iter().map(|shader| (shader, line_constants(shader, LINES)));
    let transport = transport.into_iter().map(|shader| (shader, constants()));
    let all = [(&shader::CORE_DIRECT, Vec::new())].into_iter().chain(convolution).chain(transport);
    all.map(|(shader, constants)| {
        let cold_s = compile(context, shader, &constants, control)?;
        let warm_s = compile(context, shader, &constants, control)?;
        Ok(CompileTime { stage: shader.name.to_owned(), cold_s, warm_s })
    })
    .collect()
}

/// Time to compile one stage [s].
fn compile(
    context: &Context,
    shader: &'static Shader,
    constants: &[(String, f64)],
    control: &Control,
) -> Result<f64, DoseError> {
    if control.is_cancelled() {
        return Err(DoseError::Cancelled);
    }
    let start = Instant::now();
    let pipeline = Pipeline::compile(&context.device, shader, constants);
    let seconds = start.elapsed().as_secs_f64();
    drop(pipeline);
    context.faults.check().map(|()| seconds)
}
