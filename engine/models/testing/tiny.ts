/** The shape of the smallest encoder that has two of everything: layers, heads, convolutions, groups. */
export const tinyShape = {
  hidden_size: 16,
  num_hidden_layers: 2,
  num_attention_heads: 2,
  intermediate_size: 24,
  conv_dim: [8, 8],
  conv_kernel: [10, 4],
  conv_stride: [5, 4],
  num_conv_pos_embeddings: 6,
  num_conv_pos_embedding_groups: 2,
  vocab_size: 7,
  initializer_range: 0.3,
}

/** The two families: norms of layers before their parts, as large-lv60 has them, and a group norm with norms behind, as base has. */
export const tinyLayerNorm = { ...tinyShape, feat_extract_norm: 'layer', do_stable_layer_norm: true }
export const tinyGroupNorm = { ...tinyShape, feat_extract_norm: 'group', do_stable_layer_norm: false }

export const tinyMixer = { kind: 'biMamba2', expand: 1, dState: 4, dConv: 4, headdim: 8, ngroups: 1 }
