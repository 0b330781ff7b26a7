//! How long the stages take to compile.

use std::time::Instant;

use crate::domain::{Control, DoseError};
use crate::engine::gpu::context::Context;
use crate::engine::gpu::pipeline::Pipeline;
use crate::engine::gpu::shader::Shader;
use crate::engine::gpu::stages;
use crate::engine::measures::CompileTime;

/// Compiles every stage of convolution and transport twice.
pub(super) fn times(context: &Context, control: &Control) -> Result<Vec<CompileTime>, DoseError> {
    stages::all()
        .into_iter()
        .map(|(shader, constants)| {
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
