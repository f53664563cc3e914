#pragma once

#include "../walk/entry_path.hpp"
#include "text_sink.hpp"

namespace filetree::report {

// Nothing but paths, as raw bytes, each followed by a terminator.
class PathSink final : public TextSink {
   public:
    PathSink(std::shared_ptr<TextQueue> queue, const TextOptions& options)
        : TextSink(std::move(queue)),
          options_(options),
          terminator_(options.format == TextFormat::nul_terminated ? '\0' : '\n') {}

    void entries(const WalkedDirectory& parent, const Listing& names,
                 std::span<const std::uint32_t> selected, std::size_t first,
                 const StatResult* stats) override;
    void directory(const WalkedDirectory& directory, const DirectoryTotals& totals) override;

   private:
    void append_line(std::string_view directory, std::string_view name);

    const TextOptions options_;
    const char terminator_;
    walk::EntryPath path_;
};

}  // namespace filetree::report
