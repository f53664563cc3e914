#pragma once

// Files that exist only in a test, which says what they hold, how they fail and when they change.

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "filetree/fs.hpp"

namespace filetree {

// A file that exists only here.
struct Script {
    std::uint64_t size = 0;       // of its content
    std::uint64_t told_size = 0;  // what attributes() says
    std::uint64_t inode = 1;
    bool true_size = true;
    std::vector<Extent> extents;
    std::function<int(std::uint64_t)> on_read;  // an errno, for an offset
    std::function<char(std::uint64_t)> byte;    // at an offset; 'x' where it is not given
    std::atomic<std::uint32_t> changes{0};      // shows in ctime
    std::atomic<std::uint64_t> read{0};
};

class ScriptedFile final : public File {
   public:
    explicit ScriptedFile(Script& script) : script_(script) {}

    StatResult attributes() override {
        StatResult result;
        result.attributes.mode = 0100644;
        result.attributes.device = 7;
        result.attributes.inode = script_.inode;
        result.attributes.size = script_.told_size;
        result.attributes.blocks = script_.told_size;  // none of it is a hole
        result.attributes.ctime.seconds = script_.changes;
        return result;
    }
    bool has_true_size() override { return script_.true_size; }
    Result<std::size_t> read_at(std::uint64_t offset, std::span<char> out) override {
        if (script_.on_read) {
            if (const int error = script_.on_read(offset)) {
                return Result<std::size_t>::failure(error);
            }
        }
        const std::uint64_t left = script_.size - std::min(offset, script_.size);
        const auto length = static_cast<std::size_t>(std::min<std::uint64_t>(left, out.size()));
        std::fill_n(out.begin(), length, 'x');
        for (std::size_t i = 0; script_.byte && i < length; ++i) out[i] = script_.byte(offset + i);
        script_.read += length;
        return {length, 0};
    }
    std::optional<std::uint64_t> next_data(std::uint64_t offset) override { return offset; }
    std::vector<Extent> shared_extents(bool /*sync*/) override { return script_.extents; }

   private:
    Script& script_;
};

class ScriptedFileSystem final : public FileSystem {
   public:
    std::map<std::string, Script*> files;

    Result<std::shared_ptr<File>> open_file(const std::string& path,
                                            CallContext& /*context*/) override {
        const auto found = files.find(path);
        if (found == files.end()) return Result<std::shared_ptr<File>>::failure(ENOENT);
        return {std::make_shared<ScriptedFile>(*found->second), 0};
    }
    Result<std::shared_ptr<Directory>> open(const std::string& /*path*/, CallContext& /*context*/,
                                            bool /*follow*/) override {
        return Result<std::shared_ptr<Directory>>::failure(ENOTDIR);
    }
    StatResult attributes(const std::string& /*path*/, bool /*follow*/, StatMask /*mask*/,
                          CallContext& /*context*/) override {
        return {{}, ENOENT};
    }
    [[nodiscard]] bool has_mounts_below(const std::string& /*path*/) const override {
        return false;
    }
    [[nodiscard]] std::size_t descriptor_budget() const override { return 1000; }
};

}  // namespace filetree
