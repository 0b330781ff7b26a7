//! How long the stages take to compile.

use std::time::Instant;

use crate::domain::{Control, DoseError};
use crate::engine::gpu::context::Context;
use crate::engine::gpu::pipeline::{Pipeline, Source};
use crate::engine::gpu::stages::{self, CompiledStage};
use crate::engine::measures::CompileTime;

/// Compiles every stage of convolution and transport twice.
pub(super) fn times(context: &Context, control: &Control) -> Result<Vec<CompileTime>, DoseError> {
    stages::all()
        .into_iter()
        .map(|stage| {
            let cold_s = compile(context, &stage, control)?;
            let warm_s = compile(context, &stage, control)?;
            Ok(CompileTime { stage: stage.shader.name.to_owned(), cold_s, warm_s })
        })
        .collect()
}

/// Time to compile one stage [s].
fn compile(context: &Context, stage: &CompiledStage, control: &Control) -> Result<f64, DoseError> {
    if control.is_cancelled() {
        return Err(DoseError::Cancelled);
    }
    let start = Instant::now();
    let source = Source::new(stage.shader, stage.lines);
    let pipeline = Pipeline::of_source(&context.device, stage.shader, source, &stage.constants);
    let seconds = start.elapsed().as_secs_f64();
    drop(pipeline);
    context.faults.check().map(|()| seconds)
}
