//! The host's side of the Spin packages, generated from `wit/`.

wasmtime::component::bindgen!({
    path: "../../wit",
    world: "tallyhouse:bundle/host@0.1.0",
    imports: { default: async | trappable },
    trappable_error_type: {
        "spin:postgres/postgres@4.2.0.error" => spin::postgres::postgres::Error,
        "spin:variables/variables@3.0.0.error" => spin::variables::variables::Error,
    },
});
