// Whatever is in an archive: reading it ends, within its limits, in entries or in an error; and
// twice in the same way.

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <optional>
#include <span>
#include <string>

#include "archive_reader.hpp"
#include "filetree/compare.hpp"
#include "source.hpp"

namespace {

using filetree::ArchiveOptions;
using filetree::CompareError;

constexpr ArchiveOptions limits{.chunk_size = 4096,
                                .max_decompressed_size = std::uint64_t{1} << 20U,
                                .max_compression_ratio = 1000,
                                .max_entries = 200,
                                .max_name_length = 300};

class Bytes final : public filetree::compare::Source {
   public:
    explicit Bytes(std::span<const char> bytes) : bytes_(bytes) {}
    [[nodiscard]] const std::string& name() const noexcept override { return name_; }
    [[nodiscard]] std::optional<std::uint64_t> size() const noexcept override {
        return bytes_.size();
    }
    [[nodiscard]] std::size_t read_at(std::uint64_t offset, std::span<char> out) override {
        if (offset >= bytes_.size()) return 0;
        const std::span<const char> rest = bytes_.subspan(static_cast<std::size_t>(offset));
        const std::size_t length = std::min(rest.size(), out.size());
        std::copy_n(rest.begin(), length, out.begin());
        return length;
    }
    void check_unchanged() override {}

   private:
    const std::string name_ = "bytes";
    const std::span<const char> bytes_;
};

// What a reading came to.
struct Outcome {
    std::uint64_t entries = 0;
    std::uint64_t content = 0;
    std::uint64_t sum = 0;
    std::string error;

    bool operator==(const Outcome&) const = default;
};

Outcome read(std::span<const char> bytes) {
    Bytes source(bytes);
    Outcome outcome;
    try {
        filetree::compare::ArchiveReader reader(source, limits, [] { return false; });
        filetree::compare::ArchiveEntry entry;
        filetree::compare::ContentBlock block;
        while (reader.next(entry)) {
            const bool counts = entry.kind != filetree::compare::ArchiveEntry::Kind::other;
            if (counts) ++outcome.entries;
            while (reader.read(block)) {
                if (!counts) continue;
                outcome.content += block.zeros + block.bytes.size();
                for (const char byte : block.bytes) {
                    outcome.sum = outcome.sum * 31 + static_cast<unsigned char>(byte);
                }
            }
        }
    } catch (const CompareError& error) {
        outcome.error = error.what();
    }
    if (outcome.entries > limits.max_entries || outcome.content > limits.max_decompressed_size) {
        std::abort();
    }
    return outcome;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::span<const char> bytes(reinterpret_cast<const char*>(data), size);
    if (!(read(bytes) == read(bytes))) std::abort();
    return 0;
}
