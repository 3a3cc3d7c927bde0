// The calls of zstd that the engine makes, and nothing around them: zstd <file> <level> <windowLog> <long> <rounds>.
// Prints bytes in, bytes out and the seconds of the fastest round.
#include <zstd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <vector>

namespace {

constexpr size_t kPieceBytes = size_t{1} << 20;

size_t checked(size_t result) {
  if (ZSTD_isError(result)) {
    std::fprintf(stderr, "%s\n", ZSTD_getErrorName(result));
    std::exit(1);
  }
  return result;
}

size_t compress(ZSTD_CCtx* context, const std::vector<char>& text, std::vector<char>& output) {
  size_t bytes = 0;
  for (size_t at = 0; at < text.size(); at += kPieceBytes) {
    ZSTD_inBuffer piece = {text.data() + at, std::min(kPieceBytes, text.size() - at), 0};
    ZSTD_outBuffer out = {output.data(), output.size(), 0};
    if (checked(ZSTD_compressStream2(context, &out, &piece, ZSTD_e_flush)) != 0) std::exit(1);
    bytes += out.pos;
  }
  return bytes;
}

}  // namespace

int main(int count, char** arguments) {
  if (count != 6) return 2;
  std::ifstream file(arguments[1], std::ios::binary);
  const std::vector<char> text{std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
  std::vector<char> output(ZSTD_compressBound(kPieceBytes) * 2);
  size_t bytes = 0;
  double fastest = 1e9;
  for (int round = std::atoi(arguments[5]); round > 0; round--) {
    ZSTD_CCtx* context = ZSTD_createCCtx();
    checked(ZSTD_CCtx_setParameter(context, ZSTD_c_compressionLevel, std::atoi(arguments[2])));
    checked(ZSTD_CCtx_setParameter(context, ZSTD_c_windowLog, std::atoi(arguments[3])));
    checked(ZSTD_CCtx_setParameter(context, ZSTD_c_enableLongDistanceMatching, std::atoi(arguments[4])));
    const auto begun = std::chrono::steady_clock::now();
    bytes = compress(context, text, output);
    fastest = std::min(fastest, std::chrono::duration<double>(std::chrono::steady_clock::now() - begun).count());
    ZSTD_freeCCtx(context);
  }
  std::printf("%zu %zu %.6f\n", text.size(), bytes, fastest);
  return 0;
}
