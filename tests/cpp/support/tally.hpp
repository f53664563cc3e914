#pragma once

#include <algorithm>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <vector>

#include "filetree/walk.hpp"
#include "support/limits.hpp"

namespace filetree::testing {

// What a walk found, in numbers. Sinks add to it when they are flushed, as the last thing.
struct Tally {
    std::uint64_t entries = 0;
    std::uint64_t bytes = 0;
    std::uint64_t directories = 0;
    std::uint64_t unreadable = 0;
    std::uint64_t listed = 0;           // file_count summed over directories
    std::vector<std::uint64_t> inodes;  // of directories and entries
    int sinks = 0;
    int flushed = 0;
    std::mutex mutex;

    // How many different entries were seen.
    [[nodiscard]] std::uint64_t distinct() {
        std::sort(inodes.begin(), inodes.end());
        return static_cast<std::uint64_t>(std::unique(inodes.begin(), inodes.end()) -
                                          inodes.begin());
    }
};

class TallySink final : public EntrySink {
   public:
    explicit TallySink(std::shared_ptr<Tally> tally) : tally_(std::move(tally)) {
        const std::lock_guard lock(tally_->mutex);
        ++tally_->sinks;
    }
    void entries(const WalkedDirectory& /*parent*/, const Listing& /*names*/,
                 std::span<const std::uint32_t> selected, std::size_t first,
                 const StatResult* stats) override {
        entries_ += selected.size();
        for (const std::uint32_t i : selected) {
            bytes_ += stats[i - first].attributes.size;
            inodes_.push_back(stats[i - first].attributes.inode);
        }
    }
    void directory(const WalkedDirectory& directory, const DirectoryTotals& totals) override {
        ++directories_;
        if (totals.state == DirectoryTotals::State::unreadable) ++unreadable_;
        listed_ += totals.file_count;
        inodes_.push_back(directory.attributes().inode);
    }
    void flush() override {
        const std::lock_guard lock(tally_->mutex);
        tally_->entries += entries_;
        tally_->bytes += bytes_;
        tally_->directories += directories_;
        tally_->unreadable += unreadable_;
        tally_->listed += listed_;
        tally_->inodes.insert(tally_->inodes.end(), inodes_.begin(), inodes_.end());
        ++tally_->flushed;
    }

   private:
    std::shared_ptr<Tally> tally_;
    std::uint64_t entries_ = 0;
    std::uint64_t bytes_ = 0;
    std::uint64_t directories_ = 0;
    std::uint64_t unreadable_ = 0;
    std::uint64_t listed_ = 0;
    std::vector<std::uint64_t> inodes_;
};

inline SinkFactory into(const std::shared_ptr<Tally>& tally) {
    return [tally] { return std::make_unique<TallySink>(tally); };
}

// What a walk found, by path. For small trees.
struct Collection {
    struct SeenDirectory {
        std::int32_t depth = 0;
        std::uint64_t parent_inode = 0;
        Attributes attributes;
        DirectoryTotals totals;
    };
    struct SeenEntry {
        std::int32_t depth = 0;
        std::uint64_t parent_inode = 0;
        Attributes attributes;
    };
    std::map<std::string, SeenDirectory> directories;
    std::map<std::string, SeenEntry> entries;
    std::vector<std::string> repeated;  // what was seen more than once
    std::vector<std::string> too_late;  // entries that came after their directory
    std::mutex mutex;

    [[nodiscard]] std::set<std::string> paths() const {
        std::set<std::string> all;
        for (const auto& [path, seen] : directories) all.insert(path);
        for (const auto& [path, seen] : entries) all.insert(path);
        return all;
    }
};

class CollectingSink final : public EntrySink {
   public:
    explicit CollectingSink(std::shared_ptr<Collection> out) : out_(std::move(out)) {}

    void entries(const WalkedDirectory& parent, const Listing& names,
                 std::span<const std::uint32_t> selected, std::size_t first,
                 const StatResult* stats) override {
        std::string directory;
        parent.append_path(directory);
        const std::lock_guard lock(out_->mutex);
        for (const std::uint32_t i : selected) {
            const std::string path = directory + "/" + std::string(names.name(i));
            const Collection::SeenEntry seen{parent.depth() + 1, parent.attributes().inode,
                                             stats[i - first].attributes};
            if (!out_->entries.emplace(path, seen).second) out_->repeated.push_back(path);
            if (out_->directories.contains(directory)) out_->too_late.push_back(path);
        }
    }
    void directory(const WalkedDirectory& directory, const DirectoryTotals& totals) override {
        std::string path;
        directory.append_path(path);
        const std::lock_guard lock(out_->mutex);
        const Collection::SeenDirectory seen{directory.depth(), directory.parent_inode(),
                                             directory.attributes(), totals};
        if (!out_->directories.emplace(path, seen).second) out_->repeated.push_back(path);
    }
    void flush() override {}

   private:
    std::shared_ptr<Collection> out_;
};

inline SinkFactory into(const std::shared_ptr<Collection>& collection) {
    return [collection] { return std::make_unique<CollectingSink>(collection); };
}

// Walks to the end and gives what was found.
struct Walked {
    std::shared_ptr<Collection> found = std::make_shared<Collection>();
    WalkProgress progress;
    std::vector<EntryError> errors;
    bool finished = false;
};

inline Walked walk_all(std::shared_ptr<FileSystem> fs, const std::string& top,
                       const WalkOptions& options = {}) {
    Walked result;
    Walk walk(std::move(fs), top, options, into(result.found));
    result.finished = walk.wait_finished(patience);
    result.progress = walk.progress();
    result.errors = walk.errors();
    return result;
}

}  // namespace filetree::testing
