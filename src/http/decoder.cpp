#include "decoder.hpp"

#include <algorithm>
#include <cerrno>
#include <new>
#include <utility>

#include "filetree/http.hpp"

namespace filetree::http {
namespace {

constexpr std::size_t most_at_once = std::size_t{1} << 20U;
constexpr std::size_t least_at_once = std::size_t{64} << 10U;
constexpr std::size_t usual_ratio = 8;
constexpr int gzip_or_zlib = MAX_WBITS + 32;

}  // namespace

std::optional<Coding> coding_of(std::string_view name) noexcept {
    if (name.empty() || name == "identity") return Coding::identity;
    if (name == "gzip" || name == "x-gzip" || name == "deflate") return Coding::deflated;
    return {};
}

Decoder::Decoder() {
    if (inflateInit2(&stream_, gzip_or_zlib) != Z_OK) throw std::bad_alloc();
}

Decoder::~Decoder() { (void)inflateEnd(&stream_); }

void Decoder::add(std::vector<char> input) {
    input_ = std::move(input);
    position_ = 0;
}

bool Decoder::lacks_input() const noexcept { return position_ == input_.size() && !out_was_full_; }

bool Decoder::go_on(std::vector<char>& out) {
    if (lacks_input()) return false;
    out.resize(std::clamp((input_.size() - position_) * usual_ratio, least_at_once, most_at_once));
    stream_.next_in = reinterpret_cast<Bytef*>(input_.data() + position_);
    stream_.avail_in = static_cast<uInt>(input_.size() - position_);
    stream_.next_out = reinterpret_cast<Bytef*>(out.data());
    stream_.avail_out = static_cast<uInt>(out.size());
    while (stream_.avail_out > 0) {
        if (between_ && stream_.avail_in == 0) break;
        between_ = false;
        const int result = inflate(&stream_, Z_NO_FLUSH);
        if (result == Z_STREAM_END) {  // another member may follow
            between_ = true;
            (void)inflateReset(&stream_);
        } else if (result == Z_BUF_ERROR) {
            break;
        } else if (result == Z_MEM_ERROR) {
            throw std::bad_alloc();
        } else if (result != Z_OK) {
            throw HttpError(EPROTO, "its content is not encoded as it says");
        }
    }
    out_was_full_ = stream_.avail_out == 0;
    position_ = input_.size() - stream_.avail_in;
    out.resize(out.size() - stream_.avail_out);
    return true;
}

}  // namespace filetree::http
