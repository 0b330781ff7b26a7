// Straight flight through the voxels of any anisotropic grid. Twin: src/engine/cpu/transport/geometry.rs
#import transport

// A length beyond every grid [cm].
const FAR_CM: f32 = 1e30;
// A component of a direction below which a flight is parallel to the faces of that axis.
const PARALLEL: f32 = 1e-12;
// The bits of a word of the medium that hold the number of the material.
const MATERIAL_MASK: u32 = 15u;

// Where a particle is and where it goes.
struct Position {
    cell: vec3<i32>,      // indices of its voxel
    local_cm: vec3<f32>,  // where in the voxel, from its low corner
    direction: vec3<f32>, // unit vector
}

// The face of the voxel that a flight meets next: 1 on its axis, 0 elsewhere.
struct Face {
    axis: vec3<bool>,
    distance_cm: f32,
}

// Density [g/cm³] and material of a voxel.
struct Medium {
    density_g_cm3: f32,
    material: u32,
}

// Where a flight goes on beyond a face, and whether that is in the grid.
struct Crossing {
    at: Position,
    is_inside: bool,
}

// Edges of a voxel. Device only: a member in Rust.
fn spacing_cm() -> vec3<f32> {
    return vec3(params.spacing_x_cm, params.spacing_y_cm, params.spacing_z_cm);
}

// Voxels by axis. Device only: a member in Rust.
fn grid_shape() -> vec3<i32> {
    return vec3(i32(params.n_x), i32(params.n_y), i32(params.n_z));
}

// Number of a voxel, x fastest.
fn voxel_index(cell: vec3<i32>) -> u32 {
    return (u32(cell.z) * params.n_y + u32(cell.y)) * params.n_x + u32(cell.x);
}

// Indices of a voxel.
fn cell_of(voxel: u32) -> vec3<i32> {
    let line = voxel / params.n_x;
    return vec3(i32(voxel % params.n_x), i32(line % params.n_y), i32(line / params.n_y));
}

// The face that a particle meets next if it flies straight on.
fn next_face(at: Position) -> Face {
    return nearest(ray_to_faces(at));
}

// The nearest of the faces at these distances by axis.
fn nearest(distance: vec3<f32>) -> Face {
    let y_before_x = distance.y < distance.x;
    let nearer = select(distance.x, distance.y, y_before_x);
    if distance.z < nearer { return Face(vec3(false, false, true), distance.z); }
    return Face(vec3(!y_before_x, y_before_x, false), nearer);
}

// Distance to the nearest point of the voxel's surface [cm].
fn nearest_surface_cm(at: Position) -> f32 {
    let along = min(at.local_cm, spacing_cm() - at.local_cm);
    return min(min(along.x, along.y), along.z);
}

// Flies within the voxel.
fn advance(at: Position, distance_cm: f32) -> Position {
    let local_cm = at.local_cm + at.direction * distance_cm;
    return Position(at.cell, clamp(local_cm, vec3(0.0), spacing_cm()), at.direction);
}

// Flies to a face and through it.
fn cross_face(before: Position, face: Face) -> Crossing {
    var at = advance(before, face.distance_cm);
    let upward = at.direction > vec3(0.0);
    at.local_cm = select(at.local_cm, select(spacing_cm(), vec3(0.0), upward), face.axis);
    return enter_next(at, face.axis);
}

// Goes to the next voxel along an axis.
fn enter_next(before: Position, axis: vec3<bool>) -> Crossing {
    var at = before;
    let upward = at.direction > vec3(0.0);
    at.cell += select(vec3(0), select(vec3(-1), vec3(1), upward), axis);
    let shape = grid_shape();
    let is_inside = all(at.cell >= vec3(0)) && all(at.cell < shape);
    if is_inside || params.is_periodic == 0u { return Crossing(at, is_inside); }
    at.cell = select(at.cell, shape - vec3(1), at.cell < vec3(0));
    at.cell = select(at.cell, vec3(0), at.cell >= shape);
    return Crossing(at, true);
}

// A straight flight through many voxels: distances to the faces are kept, not computed again in each voxel.
struct Ray {
    to_face_cm: vec3<f32>, // from here to the next face of each axis
    across_cm: vec3<f32>,  // from one face of an axis to the next
}

// Whether a flight ever meets a face of each axis. Device only: part of `Ray::new` and `Ray::end`.
fn meets_faces(direction: vec3<f32>) -> vec3<bool> {
    return abs(direction) > vec3(PARALLEL);
}

// Distances from a place to the next face of each axis [cm]. Device only: part of `Ray::new`.
fn ray_to_faces(at: Position) -> vec3<f32> {
    let ahead = select(-at.local_cm, spacing_cm() - at.local_cm, at.direction > vec3(0.0));
    let meets = meets_faces(at.direction);
    return select(vec3(FAR_CM), ahead / select(vec3(1.0), at.direction, meets), meets);
}

// Distances from one face of an axis to the next [cm]. Device only: part of `Ray::new`.
fn ray_across(direction: vec3<f32>) -> vec3<f32> {
    let meets = meets_faces(direction);
    return select(vec3(FAR_CM), spacing_cm() / select(vec3(1.0), abs(direction), meets), meets);
}

// The face that it meets next.
fn ray_face(ray: Ray) -> Face {
    return nearest(ray.to_face_cm);
}

// The flight beyond a face. The place in the voxel is computed only where the flight ends.
fn ray_beyond(ray: Ray, face: Face) -> Ray {
    return Ray(select(ray.to_face_cm - face.distance_cm, ray.across_cm, face.axis), ray.across_cm);
}

// Where in its voxel a flight ends, at a distance from where it entered.
fn ray_end(ray: Ray, distance_cm: f32, at: Position) -> vec3<f32> {
    let left = (ray.to_face_cm - distance_cm) * at.direction;
    let local_cm = clamp(select(-left, spacing_cm() - left, at.direction > vec3(0.0)), vec3(0.0), spacing_cm());
    return select(at.local_cm, local_cm, meets_faces(at.direction));
}

// What a flight keeps while it waits in a queue: distances to the faces that it meets, in place of where it is between
// them. Device only: on the host a flight never waits.
fn kept(at: Position, to_face_cm: vec3<f32>) -> vec3<f32> {
    return select(at.local_cm, to_face_cm, meets_faces(at.direction));
}

// The flight that was kept. Device only, likewise.
fn ray_of(at: Position) -> Ray {
    return Ray(select(vec3(FAR_CM), at.local_cm, meets_faces(at.direction)), ray_across(at.direction));
}

// A direction turned by a polar angle, given by its cosine, and an azimuth, given by its cosine and sine.
// Source of the basis: Duff et al., J. Comput. Graph. Tech. 6 (2017) 1.
fn turned(direction: vec3<f32>, cosine: f32, azimuth: vec2<f32>) -> vec3<f32> {
    let sine = sqrt(max(1.0 - cosine * cosine, 0.0));
    let sign = select(1.0, -1.0, direction.z < 0.0);
    let a = -1.0 / (sign + direction.z);
    let b = direction.x * direction.y * a;
    let p = sine * azimuth.x;
    let q = sine * azimuth.y;
    let turned = vec3(
        cosine * direction.x + p * (1.0 + sign * direction.x * direction.x * a) + q * b,
        cosine * direction.y + p * sign * b + q * (sign + direction.y * direction.y * a),
        cosine * direction.z - p * sign * direction.x - q * direction.y,
    );
    return turned * (1.0 / sqrt(turned.x * turned.x + turned.y * turned.y + turned.z * turned.z));
}

// The density and the number of the material that one word of the medium holds.
fn medium_of(word: u32) -> Medium {
    return Medium(bitcast<f32>(word & ~MATERIAL_MASK), word & MATERIAL_MASK);
}
