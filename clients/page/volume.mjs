// Volumes: where their voxels are, and what stands in them.
//
// Points are in mm along the patient's right, front and head, in the coordinates of the dose.

const TYPES = {
  float32: Float32Array, float64: Float64Array, int16: Int16Array, uint8: Uint8Array, uint16: Uint16Array,
  int32: Int32Array,
};

// What turns points back into voxels: three rows of four numbers, as the affine that it undoes.
function inverse(m) {
  const other = (row) => [0, 1, 2].filter((n) => n !== row);
  const minor = (row, column) => {
    const [[a, b], [c, d]] = [other(row), other(column)];
    return (-1) ** (row + column) * (m[a][c] * m[b][d] - m[a][d] * m[b][c]);
  };
  const determinant = [0, 1, 2].reduce((sum, column) => sum + m[0][column] * minor(0, column), 0);
  return [0, 1, 2].map((row) => {
    const axes = [0, 1, 2].map((column) => minor(column, row) / determinant);
    return [...axes, -axes.reduce((sum, axis, n) => sum + axis * m[n][3], 0)];
  });
}

const apply = (m, point) => m.map((row) => row[0] * point[0] + row[1] * point[1] + row[2] * point[2] + row[3]);
const turn = (m, way) => m.map((row) => row[0] * way[0] + row[1] * way[1] + row[2] * way[2]);

export const sizeOf = (described) => described.shape.reduce((all, n) => all * n, 1)
  * TYPES[described.element].BYTES_PER_ELEMENT;

export class Volume {
  // described – shape, spacing_mm, affine_mm, element, slope and intercept
  constructor(described, bytes) {
    Object.assign(this, { shape: described.shape, spacing: described.spacing_mm, toPoint: described.affine_mm });
    this.toVoxel = inverse(this.toPoint);
    this.stored = new TYPES[described.element](bytes.buffer, bytes.byteOffset);
    [this.slope, this.intercept] = [described.slope, described.intercept];
  }

  index([i, j, k]) {
    return i + this.shape[0] * (j + this.shape[1] * k);
  }

  value(voxel) {
    return this.stored[this.index(voxel)] * this.slope + this.intercept;
  }

  // The voxel that a point lies in; null outside.
  voxelOf(point) {
    const voxel = apply(this.toVoxel, point).map(Math.round);
    return voxel.every((at, axis) => at >= 0 && at < this.shape[axis]) ? voxel : null;
  }

  // The value of that voxel; NaN outside.
  valueAt(point) {
    const voxel = this.voxelOf(point);
    return voxel ? this.value(voxel) : NaN;
  }

  pointOf(voxel) {
    return apply(this.toPoint, voxel);
  }

  // The largest value, and its voxel.
  most() {
    if (!this.highest) {
      let at = 0;
      this.stored.forEach((value, index) => { if (value > this.stored[at]) at = index; });
      const [nx, ny] = this.shape;
      const voxel = [at % nx, Math.floor(at / nx) % ny, Math.floor(at / (nx * ny))];
      this.highest = { value: this.value(voxel), voxel };
    }
    return this.highest;
  }

  // The corners of the box that holds all of it.
  box() {
    const ends = [0, 1, 2, 3, 4, 5, 6, 7].map((corner) => this.pointOf([0, 1, 2].map(
      (axis) => (corner >> axis & 1 ? this.shape[axis] - 0.5 : -0.5))));
    return [Math.min, Math.max].map((end) => [0, 1, 2].map((axis) => end(...ends.map((point) => point[axis]))));
  }

  // Values on a raster of points, NaN outside.
  //   from – its first point; across, down – from one point to the next
  //   smooth – whether to interpolate between the centres of voxels
  raster(from, across, down, [w, h], smooth) {
    const values = new Float32Array(w * h).fill(NaN);
    const [start, right, below] = [apply(this.toVoxel, from), turn(this.toVoxel, across), turn(this.toVoxel, down)];
    const take = smooth ? this.between.bind(this) : this.nearest.bind(this);
    for (let v = 0; v < h; v++) {
      for (let u = 0; u < w; u++) {
        values[v * w + u] = take(start[0] + u * right[0] + v * below[0], start[1] + u * right[1] + v * below[1],
          start[2] + u * right[2] + v * below[2]);
      }
    }
    return values;
  }

  nearest(x, y, z) {
    const [nx, ny, nz] = this.shape;
    const [i, j, k] = [Math.round(x), Math.round(y), Math.round(z)];
    if (i < 0 || j < 0 || k < 0 || i >= nx || j >= ny || k >= nz) return NaN;
    return this.stored[i + nx * (j + ny * k)] * this.slope + this.intercept;
  }

  between(x, y, z) {
    const [nx, ny, nz] = this.shape;
    if (!(x >= -0.5 && y >= -0.5 && z >= -0.5 && x <= nx - 0.5 && y <= ny - 0.5 && z <= nz - 0.5)) return NaN;
    const part = (at, n) => {
      const inside = Math.min(Math.max(at, 0), n - 1);
      const low = Math.min(Math.floor(inside), Math.max(n - 2, 0));
      return [low, Math.min(low + 1, n - 1), inside - low];
    };
    const [[i, I, a], [j, J, b], [k, K, c]] = [part(x, nx), part(y, ny), part(z, nz)];
    const at = (p, q, r) => this.stored[p + nx * (q + ny * r)];
    const row = (q, r) => at(i, q, r) * (1 - a) + at(I, q, r) * a;
    const plane = (r) => row(j, r) * (1 - b) + row(J, r) * b;
    return (plane(k) * (1 - c) + plane(K) * c) * this.slope + this.intercept;
  }
}
