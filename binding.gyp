{
  "variables": {
    # The upstream C sources of BLAKE3; relative, because GYP takes no other paths for sources.
    "blake3": "<!(node -p \"path.relative('.', require.resolve('@c4312/blake3-native/package.json') + '/../c').replaceAll(path.sep, '/')\")"
  },
  "targets": [
    {
      "target_name": "zstd",
      "type": "static_library",
      "sources": ["<!@(node native/zstd_sources.cjs)"],
      "defines": ["ZSTD_DISABLE_ASM", "ZSTD_NO_TRACE", "ZSTDLIB_VISIBLE=", "ZSTDERRORLIB_VISIBLE="],
      "cflags": ["-O3", "-fvisibility=hidden"],
      "direct_dependent_settings": { "include_dirs": ["<!(node native/zstd_sources.cjs include)"] },
      "xcode_settings": {
        "GCC_OPTIMIZATION_LEVEL": "3",
        "GCC_SYMBOLS_PRIVATE_EXTERN": "YES",
        "MACOSX_DEPLOYMENT_TARGET": "11.0"
      }
    },
    {
      "target_name": "longhaul",
      "dependencies": ["blake3", "zstd"],
      "sources": [
        "native/addon.cc",
        "native/bridge.cc",
        "native/content.cc",
        "native/delta.cc",
        "native/digest.cc",
        "native/durable.cc",
        "native/gear.cc",
        "native/match.cc",
        "native/sketch.cc",
        "native/records.cc",
        "native/socket.cc",
        "native/spans.cc",
        "native/tuning.cc",
        "native/zstd_call.cc",
        "native/zstd_codec.cc",
        "native/zstd_decoder.cc",
        "native/zstd_encoder.cc",
        "native/zstd_jobs.cc",
        "native/zstd_pieces.cc"
      ],
      "include_dirs": [
        "<!(node -p \"require('node-addon-api').include_dir\")",
        "<!(node -p \"path.relative('.', path.dirname(require.resolve('xxhash-addon/package.json')))\")/xxHash"
      ],
      "defines": ["NAPI_VERSION=8", "NODE_ADDON_API_CPP_EXCEPTIONS_ALL", "NODE_API_SWALLOW_UNTHROWABLE_EXCEPTIONS"],
      "cflags": ["-O3", "-Wall", "-Wextra", "-Werror", "-fvisibility=hidden"],
      "cflags!": ["-Wno-unused-parameter"],
      "cflags_cc": ["-std=c++17", "-fexceptions"],
      "cflags_cc!": ["-std=gnu++17", "-std=gnu++20", "-fno-exceptions"],
      "conditions": [
        # The libraries' symbols stay inside, those of assembly too, which know no visibility.
        ["OS=='linux'", { "ldflags": ["-Wl,--exclude-libs,ALL"] }],
        [
          "OS=='mac'",
          {
            "xcode_settings": {
              "CLANG_CXX_LANGUAGE_STANDARD": "c++17",
              "CLANG_CXX_LIBRARY": "libc++",
              "GCC_ENABLE_CPP_EXCEPTIONS": "YES",
              "GCC_OPTIMIZATION_LEVEL": "3",
              "GCC_SYMBOLS_PRIVATE_EXTERN": "YES",
              "GCC_TREAT_WARNINGS_AS_ERRORS": "YES",
              "MACOSX_DEPLOYMENT_TARGET": "11.0",
              "WARNING_CFLAGS": ["-Wall", "-Wextra"]
            }
          }
        ],
        [
          "OS=='win'",
          {
            "defines": ["_HAS_EXCEPTIONS=1", "NOMINMAX"],
            "msvs_settings": {
              "VCCLCompilerTool": {
                "AdditionalOptions": ["/std:c++17"],
                "ExceptionHandling": 1,
                "Optimization": 2,
                "WarnAsError": "true",
                "WarningLevel": 3
              }
            }
          }
        ]
      ]
    },
    {
      "target_name": "blake3",
      "type": "static_library",
      "sources": ["<(blake3)/blake3.c", "<(blake3)/blake3_dispatch.c", "<(blake3)/blake3_portable.c"],
      "cflags": ["-O3", "-fvisibility=hidden"],
      "direct_dependent_settings": { "include_dirs": ["<(blake3)"] },
      "xcode_settings": {
        "GCC_OPTIMIZATION_LEVEL": "3",
        "GCC_SYMBOLS_PRIVATE_EXTERN": "YES",
        "MACOSX_DEPLOYMENT_TARGET": "11.0"
      },
      "conditions": [
        [
          "target_arch=='x64' and OS!='win'",
          {
            "sources": [
              "<(blake3)/blake3_sse2_x86-64_unix.S",
              "<(blake3)/blake3_sse41_x86-64_unix.S",
              "<(blake3)/blake3_avx2_x86-64_unix.S",
              "<(blake3)/blake3_avx512_x86-64_unix.S"
            ]
          }
        ],
        ["target_arch=='arm64'", { "sources": ["<(blake3)/blake3_neon.c"] }],
        [
          "target_arch!='arm64' and (target_arch!='x64' or OS=='win')",
          {
            "defines": [
              "BLAKE3_NO_SSE2", "BLAKE3_NO_SSE41", "BLAKE3_NO_AVX2", "BLAKE3_NO_AVX512", "BLAKE3_USE_NEON=0"
            ]
          }
        ]
      ]
    }
  ]
}
